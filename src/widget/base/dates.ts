/** Dates for people. */

/** The day of an ISO 8601 date in the user's language; the text itself if it is not a date. */
export function dayOf(date: string): string {
  const day = new Date(date);
  return Number.isNaN(day.getTime())
    ? date
    : day.toLocaleDateString(undefined, { day: 'numeric', month: 'long', year: 'numeric' });
}

/** Day and time of an ISO 8601 date in the user's language; the text itself if it is not a date. */
export function timeOf(date: string): string {
  const time = new Date(date);
  return Number.isNaN(time.getTime())
    ? date
    : time.toLocaleString(undefined, {
        day: 'numeric',
        month: 'short',
        year: 'numeric',
        hour: '2-digit',
        minute: '2-digit'
      });
}
