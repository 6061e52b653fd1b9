// What a misspelt name was meant to be: the language's own, for the names of scenarios.
export { nearest } from '../language/suggestion.ts'
