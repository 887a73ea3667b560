import { replicas } from "./Campaigns.ts"

replicas({ people: 60, bots: 6, kills: 14, naps: 8, comas: 4, minutes: 20 })
