/** Entries that one table of the log held and that lie in an archive folder now. Plain data: it travels between threads. */
export interface ColdMonth {
  /** `YYYY-MM`; `past` for everything from before the log had months. */
  month: string;
  /** Sequence numbers, `to` exclusive. Between them entries of the neighbouring months may stand. */
  from: number;
  to: number;
  /** Ids of the month, `endId` exclusive: what tells its entries from those of its neighbours. */
  firstId: string;
  endId: string;
  entries: number;
  /** Hex SHA-256 of the manifest of the archive folder. */
  manifestSha256: string;
}

/** The month in cold storage that an entry belongs to, by its number and its id. */
export function coldMonthOf(months: readonly ColdMonth[], seq: number, id: string): ColdMonth | undefined {
  return months.find(({ from, to, firstId, endId }) => seq >= from && seq < to && id >= firstId && id < endId);
}
