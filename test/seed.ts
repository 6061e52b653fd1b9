// Properties are asked of the same cases in each run, so that a test passes always or never. Others: SLUICE_SEED=7 npm run test:unit
import fc from 'fast-check'

fc.configureGlobal({ seed: Number(process.env['SLUICE_SEED'] ?? 1) })
