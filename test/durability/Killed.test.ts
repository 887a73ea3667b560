import { killed } from "./Campaigns.ts"

killed({ updates: 240, places: 12, ends: 2, hits: 4, notes: 20, messages: 150, minutes: 10 })
