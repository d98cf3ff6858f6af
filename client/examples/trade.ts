/**
 * A customer signs in, gets a key to sign with, pays in and withdraws.
 * node client/examples/trade.ts http://127.0.0.1:3000
 */
import { createClient, everyItem, isProblem } from '../index.ts';
import { createConsole } from './console.ts';

const [origin = 'http://127.0.0.1:3000'] = process.argv.slice(2);
const { ask, device, onStepUp, close } = createConsole();
const client = createClient({ origin, onStepUp });

const { body: login } = await client.signIn({ email: await ask('E-mail'), password: await ask('Password'), device });
console.log(`Signed in: ${login.status}`);

// The secret is shown this once: an application keeps it where the person's other secrets are.
const { body: key } = await client.issueSigningKey();
client.useSigningKey({ keyId: key.keyId, secret: key.secret, audience: key.audience });

const deposit = await client.transact({ type: 'deposit', amount: '250.00', currency: 'USD' });
console.log(`Deposit: ${deposit.body.status}`);
try {
  const { body } = await client.transact({ type: 'withdrawal', amount: '900.00', currency: 'USD' });
  console.log(`Withdrawal: ${body.status}`);
} catch (error) {
  if (!isProblem(error, 'insufficient_funds')) throw error;
  console.log(`Withdrawal refused: ${error.problem.detail}`);
}

for await (const { type, amount, currency, status } of everyItem(client.listTransactions, { query: { limit: 50 } })) {
  console.log(`${type} of ${amount} ${currency}: ${status}`);
}
await client.signOut();
close();
