import { NativeSelect, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { useChange } from '../../calls.ts';
import { words } from '../../parts/filters.tsx';
import { Person } from '../../parts/people.tsx';
import { ReasonButton } from '../../parts/reason-dialog.tsx';
import { Time } from '../../parts/time.tsx';
import { type Case, OF_CASE } from './case.ts';

const LABELS = ['confirmed_fraud', 'false_positive', 'inconclusive'] as const;
const SOURCES = ['staff', 'customer', 'chargeback'] as const;
const optionsOf = (values: readonly string[]) => values.map((value) => ({ value, label: words(value) }));

/** What the transaction turned out to be; the latest label counts. */
export function Labels({ held, mayLabel }: { held: Case; mayLabel: boolean }) {
  const [label, setLabel] = useState<(typeof LABELS)[number]>('confirmed_fraud');
  const [source, setSource] = useState<(typeof SOURCES)[number]>('staff');
  const store = useChange('labelTransaction', { changes: OF_CASE });
  return (
    <Stack gap="sm" align="flex-start">
      {held.labels.length === 0 ? (
        <Text size="sm" c="dimmed">
          Nobody has said what it turned out to be.
        </Text>
      ) : (
        <ul className="entries" aria-label="Labels">
          {held.labels.map((one, place) => (
            <li key={`${one.knownAt} ${one.label}`}>
              <Text size="sm" fw={place === 0 ? 650 : undefined}>
                {words(one.label)}
                {place === 0 && held.labels.length > 1 && ' (counts)'}
              </Text>
              <Text size="xs" c="dimmed">
                by {words(one.source)}
                {one.labelledBy !== null && (
                  <>
                    {' '}
                    (<Person id={one.labelledBy} />)
                  </>
                )}
                , <Time at={one.knownAt} />
              </Text>
              <Text size="sm" className="written">
                {one.reason}
              </Text>
            </li>
          ))}
        </ul>
      )}
      {mayLabel && (
        <ReasonButton
          label="Label it"
          size="xs"
          what="Says what it turned out to be. Labels before stay on record; this one counts."
          onConfirm={(reason) =>
            store.mutateAsync({
              path: { transactionId: held.transactionId },
              body: { label, source, reason },
            })
          }
        >
          <NativeSelect
            label="Label"
            data={optionsOf(LABELS)}
            value={label}
            onChange={(event) => setLabel(LABELS.find((one) => one === event.currentTarget.value) ?? label)}
          />
          <NativeSelect
            label="How it became known"
            data={optionsOf(SOURCES)}
            value={source}
            onChange={(event) => setSource(SOURCES.find((one) => one === event.currentTarget.value) ?? source)}
          />
        </ReasonButton>
      )}
    </Stack>
  );
}
