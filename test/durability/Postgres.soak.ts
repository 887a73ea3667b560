import { postgresKilled } from "./Campaigns.ts"

postgresKilled({ updates: 1000, places: 40, ends: 50, notes: 100, minutes: 30 })
