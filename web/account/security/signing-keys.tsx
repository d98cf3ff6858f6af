import { Badge } from '@mantine/core';
import { type Item, useChange, usePages } from '../../calls.ts';
import { StatusBadge } from '../../parts/badges.tsx';
import { ConfirmButton } from '../../parts/confirm-button.tsx';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { Id } from '../../parts/id.tsx';
import { Section } from '../../parts/page.tsx';
import { Problem } from '../../parts/problem.tsx';
import { Time } from '../../parts/time.tsx';
import { useBrowserKey } from '../browser-key.tsx';

type Key = Item<'listSigningKeys'>;

/** All signing keys of the account, those of programs and of other browsers, too. */
export function SigningKeys() {
  const list = usePages('listSigningKeys', { query: { limit: 50 } });
  const own = useBrowserKey();
  const revoke = useChange('revokeSigningKey', { changes: ['listSigningKeys', 'getSigningKey'] });
  const columns: readonly Column<Key>[] = [
    {
      title: 'Key',
      cell: ({ keyId }) => (
        <>
          <Id id={keyId} what="key id" />{' '}
          {keyId === own.data?.keyId && (
            <Badge variant="light" className="badge">
              this browser
            </Badge>
          )}
        </>
      ),
    },
    { title: 'Status', cell: ({ status }) => <StatusBadge status={status} /> },
    { title: 'Made', cell: ({ createdAt }) => <Time at={createdAt} /> },
    { title: 'Accepted until', cell: ({ acceptedUntil }) => <Time at={acceptedUntil} /> },
    { title: 'Revoked', cell: ({ revokedAt }) => <Time at={revokedAt} /> },
    {
      title: 'Action',
      // A revocation is signed, with any key of the account; the one of this browser is revoked above.
      cell: ({ keyId, status }) =>
        own.data && status !== 'revoked' && keyId !== own.data.keyId ? (
          <ConfirmButton
            label="Revoke"
            name={`Revoke the key ${keyId.slice(0, 8)}`}
            size="xs"
            color="red"
            what="Whatever signs with it moves nothing any more."
            onConfirm={() => revoke.mutateAsync({ path: { keyId } })}
          />
        ) : (
          '–'
        ),
    },
  ];
  return (
    <Section
      title="All signing keys"
      hint="One for each browser and program. To revoke one, this browser signs with its own."
    >
      {list.isError && <Problem error={list.error} onRetry={() => void list.refetch()} />}
      <DataTable
        label="Signing keys"
        columns={columns}
        rows={list.items}
        keyOf={({ keyId }) => keyId}
        empty="There are none yet."
        more={{ has: list.hasNextPage, busy: list.isFetchingNextPage || list.isLoading, read: list.more }}
      />
    </Section>
  );
}
