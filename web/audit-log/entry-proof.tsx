import { Alert, Button, Group, Stack, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { isProblem } from '../../client/index.ts';
import { checkInclusion } from '../audit-proof/checks.ts';
import { useChange, useRead } from '../calls.ts';
import { Problem, problemText } from '../parts/problem.tsx';
import { Loading } from '../parts/read.tsx';
import { Checks } from './checks-view.tsx';
import { KeySource } from './keys.tsx';
import { keyFor, useOwnKeys } from './own-keys.ts';

const VERDICTS = {
  passed: 'Proved: this entry is in the log, as it was written',
  failed: 'This entry is not what was written',
  open: 'Not proved yet',
} as const;

/** The last published checkpoint; undefined where there is none. */
export function useCheckpoint() {
  const read = useRead('getAuditCheckpoint', {});
  const isNone = isProblem(read.error, 'not_found');
  return { ...read, isNone, isKnown: read.isSuccess || isNone };
}

/**
 * Reads an entry with its proof, in the tree of the last checkpoint where that covers it, and checks it here.
 *
 * @param id of the entry in the list, where it is known: the proof must be about that one
 */
export function useEntryProof(seq: number, id: string | undefined) {
  const checkpoint = useCheckpoint();
  const own = useOwnKeys();
  const covering = checkpoint.data !== undefined && checkpoint.data.size > seq ? checkpoint.data : null;
  const answer = useRead(
    'proveAuditEntry',
    { path: { seq: String(seq) }, query: covering === null ? {} : { size: String(covering.size) } },
    { enabled: checkpoint.isKnown },
  );
  const { key, isOwn } = keyFor(covering?.key ?? '', own.keys);
  const asked = { seq, ...(id === undefined ? {} : { id }) };
  const signed = covering === null ? null : { note: covering.note, key };
  const checks = useQuery({
    queryKey: ['audit-proof', asked, answer.data, signed],
    queryFn: () => checkInclusion(asked, answer.data as NonNullable<typeof answer.data>, signed),
    enabled: answer.data !== undefined,
    staleTime: Number.POSITIVE_INFINITY,
  });
  return { checkpoint, answer, checks, isOwn, isCovered: covering !== null };
}

export type EntryProofState = ReturnType<typeof useEntryProof>;

/** The proof of one entry, each step green or red. */
export function EntryProof({ proof }: { proof: EntryProofState }) {
  const { checkpoint, answer, checks, isOwn, isCovered } = proof;
  return (
    <section aria-label="Proof of the entry">
      <Title order={3} size="h5" mb="xs">
        Proof
      </Title>
      <Stack gap="sm">
        {checkpoint.isError && !checkpoint.isNone && <Problem error={checkpoint.error} />}
        {isProblem(answer.error, 'log_damaged') ? (
          <Alert role="alert" color="red" variant="filled" className="alarm" title={VERDICTS.failed}>
            {problemText(answer.error)}
          </Alert>
        ) : (
          answer.isError && <Problem error={answer.error} onRetry={() => void answer.refetch()} />
        )}
        {checks.isError && <Problem error={checks.error} />}
        {checks.data === undefined && !answer.isError && !checks.isError && <Loading />}
        {checks.data !== undefined && (
          <>
            <Checks checks={checks.data} verdicts={VERDICTS} />
            {isCovered ? <KeySource isOwn={isOwn} /> : <PublishFirst />}
          </>
        )}
      </Stack>
    </section>
  );
}

/** An entry that no checkpoint covers can be proved as soon as one does. */
function PublishFirst() {
  const publish = useChange('publishAuditCheckpoint', { changes: ['getAuditCheckpoint', 'listAuditCheckpoints'] });
  return (
    <Group gap="sm">
      <Button size="xs" variant="default" loading={publish.isPending} onClick={() => publish.mutate({})}>
        Publish a checkpoint now
      </Button>
      <Text size="sm" c={publish.isError ? 'var(--mantine-color-error)' : 'dimmed'} role="status">
        {publish.isError ? problemText(publish.error) : 'It is published every hour by itself.'}
      </Text>
    </Group>
  );
}
