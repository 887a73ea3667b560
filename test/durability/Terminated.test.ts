import { terminated } from "./Campaigns.ts"

terminated({ updates: 120, places: 10, ends: 4, notes: 15, minutes: 10 })
