import { postgresKilled } from "./Campaigns.ts"

postgresKilled({ updates: 160, places: 10, ends: 5, notes: 15, minutes: 10 })
