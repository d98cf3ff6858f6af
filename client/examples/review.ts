/**
 * A reviewer follows what is held, and approves it with a reason.
 * node client/examples/review.ts http://127.0.0.1:3000
 */
import { createClient, followEvents, isProblem } from '../index.ts';
import { createConsole } from './console.ts';

const [origin = 'http://127.0.0.1:3000'] = process.argv.slice(2);
const { ask, device, onStepUp, close } = createConsole();
const client = createClient({ origin, onStepUp });

await client.signIn({ email: await ask('E-mail'), password: await ask('Password'), device });

for await (const { event, data } of followEvents({ origin, session: client.session })) {
  if (event === 'ready') console.log('Following');
  if (event !== 'hold') continue;
  const transactionId = String(data.transactionId);
  const reason = await ask(`Why is ${transactionId} approved (empty: it is left to others)`);
  if (reason === '') continue;
  try {
    const { status, body } = await client.approveTransaction({ path: { transactionId }, body: { reason } });
    console.log(status === 200 ? `Approved: ${body.status}` : `Approved by ${body.approvals} of ${body.required}`);
  } catch (error) {
    if (!isProblem(error)) throw error;
    console.log(`Refused: ${error.message}`);
  }
  break;
}
await client.signOut();
close();
