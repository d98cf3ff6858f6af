import { useParams } from 'react-router';
import { Facts } from '../parts/facts.tsx';
import { Id } from '../parts/id.tsx';
import { Money, quantityText } from '../parts/money.tsx';
import { Page, Section } from '../parts/page.tsx';
import { Read } from '../parts/read.tsx';
import { Time } from '../parts/time.tsx';
import { TransactionPanel, useTransaction } from './transaction-panel.tsx';
import { type Details, titleText } from './transaction-words.ts';

/** One transaction of the own account. */
export default function Transaction() {
  const { id = '' } = useParams();
  const transaction = useTransaction(id);
  const title = transaction.data === undefined ? 'Transaction' : titleText(transaction.data);
  return (
    <Page title={title} parent={{ path: '/account/transactions', label: 'Transactions' }}>
      <Read query={transaction}>
        {(found) => (
          <>
            <TransactionPanel transaction={found} />
            <Section title="Details">
              <Facts facts={factsOf(found)} />
            </Section>
          </>
        )}
      </Read>
    </Page>
  );
}

function factsOf(found: Details): Parameters<typeof Facts>[0]['facts'] {
  const { instrument, quantity, price, priceLimit, amount, currency, exchangeRate, ratedAt } = found;
  return [
    ['Id', <Id key="id" id={found.transactionId} what="transaction id" />],
    ['Asked for', <Time key="created" at={found.createdAt} />],
    ['Amount', <Money key="amount" amount={amount} currency={currency} />],
    ...(instrument === null
      ? []
      : ([
          ['Instrument', instrument],
          ['Quantity', quantityText(quantity)],
          ['Price', <Money key="price" amount={price} currency={currency} />],
          ['Price limit', priceLimit === null ? 'none' : <Money key="limit" amount={priceLimit} currency={currency} />],
        ] as const)),
    ...(found.counterparty === null ? [] : ([['To account', found.counterparty]] as const)),
    ...(exchangeRate === null
      ? []
      : ([
          ['In base currency', <Money key="base" amount={found.baseAmount} currency={found.baseCurrency} />],
          [
            'Exchange rate',
            <>
              {exchangeRate} of <Time at={ratedAt} />
            </>,
          ],
        ] as const)),
    ['Category', found.category.replaceAll('_', ' ')],
    ['Ended', <Time key="ended" at={found.finishedAt} />],
  ];
}
