import { killed } from "./Campaigns.ts"

killed({ updates: 1000, places: 40, ends: 50, hits: 6, notes: 150, messages: 700, minutes: 30 })
