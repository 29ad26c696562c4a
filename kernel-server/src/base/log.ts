/** Log lines for the file that Python redirects the sidecar's stderr to. */
export function log(message: string, error?: unknown): void {
  const detail =
    error === undefined ? '' : `: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
  process.stderr.write(`${new Date().toISOString()} ${message}${detail}\n`);
}
