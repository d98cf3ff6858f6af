import { Anchor, Text } from '@mantine/core';
import { Link, useParams } from 'react-router';
import { isProblem } from '../../client/index.ts';
import { useRead } from '../calls.ts';
import { Page } from '../parts/page.tsx';
import { Read } from '../parts/read.tsx';
import { CasePage, QUEUE } from './review/case-page.tsx';

/** One held or decided transaction with everything that a verdict needs. */
export default function Review() {
  const { transactionId = '' } = useParams();
  const review = useRead('getReview', { path: { transactionId } });
  if (review.data !== undefined) return <CasePage key={transactionId} held={review.data} problem={review.error} />;
  return (
    <Page title="Case" parent={QUEUE}>
      {isProblem(review.error, 'not_found') ? (
        <Text>
          No transaction with this id is or was held.{' '}
          <Anchor component={Link} to={`/console/transactions/${transactionId}`}>
            See how it was decided
          </Anchor>
        </Text>
      ) : (
        <Read query={review}>{() => null}</Read>
      )}
    </Page>
  );
}
