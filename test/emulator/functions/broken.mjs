// Fails while it is loaded, as with a missing environment variable.
throw new Error('SLUICE_REDIS is not set')
