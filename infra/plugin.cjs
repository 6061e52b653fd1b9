// Serverless loads plugins with require; this one is TypeScript, which Node runs from 22.18 on.
const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 18)) {
  throw new Error(
    `sluice's Serverless plugin needs Node 22.18 or newer, and found ${process.versions.node}. Run "npx serverless …" in the checkout, after "npm start".`,
  )
}
module.exports = require('./plugin.ts').default
