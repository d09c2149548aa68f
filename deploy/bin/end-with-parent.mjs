// Loaded into every test worker: without it one whose vitest was killed would run its test to the end, alone.
if (process.connected) process.once('disconnect', () => process.exit(1));
