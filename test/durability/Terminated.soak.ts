import { terminated } from "./Campaigns.ts"

terminated({ updates: 1000, places: 40, ends: 50, notes: 150, minutes: 30 })
