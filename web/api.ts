import { createClient } from '../client/index.ts';
import { askForFactor } from './session/step-up.ts';

/** The API of this page's own origin: the session is a cookie, and a step-up opens the dialog of session/step-up-dialog.tsx. */
export const client = createClient({ origin: location.origin, onStepUp: askForFactor });

/** From here on signs what the client sends with this key, and with none where it is left out. */
export const { useSigningKey: signWith } = client;
