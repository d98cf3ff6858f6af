/** What a client keeps from one call to the next. */
export interface ClientSession {
  /** Absent in browsers, where it is a cookie that no script sees. */
  readonly token?: string;
  /** Browsers only: writes carry it. */
  readonly csrfToken?: string;
  /** Keep it beyond the session, and send it with the next login: it says that this device is known. Not in browsers. */
  readonly deviceToken?: string;
}

/** The part of an answer that opens a session or makes a device known. */
interface Opening {
  status?: unknown;
  session?: { token?: string };
  csrfToken?: string;
  deviceToken?: string;
}

/** Holds the session of one client, and tells of every change. */
export function createSessionKeeper(given: ClientSession, onChange: ((session: ClientSession) => void) | undefined) {
  let session = given;

  function set(next: ClientSession): void {
    session = next;
    onChange?.(session);
  }

  return {
    get current(): ClientSession {
      return session;
    },
    set,

    /** Takes over what an answer hands out. */
    adopt(body: unknown): void {
      if (typeof body !== 'object' || body === null) return;
      const { status, session: opened, csrfToken, deviceToken } = body as Opening;
      const device = deviceToken ?? session.deviceToken;
      const known = device === undefined ? {} : { deviceToken: device };
      if (status === 'authenticated') {
        set({
          ...known,
          ...(opened?.token === undefined ? {} : { token: opened.token }),
          ...(csrfToken === undefined ? {} : { csrfToken }),
        });
      } else if (csrfToken !== undefined || deviceToken !== undefined) {
        set({ ...session, ...known, ...(csrfToken === undefined ? {} : { csrfToken }) });
      }
    },

    /** The session is over; the device stays known. */
    end(): void {
      const { deviceToken } = session;
      set(deviceToken === undefined ? {} : { deviceToken });
    },
  };
}

export type SessionKeeper = ReturnType<typeof createSessionKeeper>;
