// What a test's own thread computed: unlike the clock it does not see how busy the machine is.
export function cpuMsOf(run: () => void): number {
  const before = process.threadCpuUsage()
  run()
  const { user, system } = process.threadCpuUsage(before)
  return (user + system) / 1000
}
