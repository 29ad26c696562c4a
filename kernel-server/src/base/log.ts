/** Write a line to stderr, which Python redirects to the sidecar's log file. */
export function log(message: string, error?: unknown): void {
  const detail =
    error === undefined ? '' : `: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
  process.stderr.write(`${new Date().toISOString()} ${message}${detail}\n`);
}
