import { replicas } from "./Campaigns.ts"

replicas({ people: 24, bots: 4, kills: 2, naps: 2, comas: 1, minutes: 10 })
