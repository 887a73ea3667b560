import { delivered } from "./Campaigns.ts"

delivered({ updates: 120, places: 10, ends: 1, notes: 12, minutes: 10 })
