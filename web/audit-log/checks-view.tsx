import { Alert, Box, Code, Group, Stack, Text, ThemeIcon } from '@mantine/core';
import { CheckIcon, Cross2Icon, MinusIcon } from '@radix-ui/react-icons';
import { toHex } from '../audit-proof/bytes.ts';
import { type Check, verdictOf } from '../audit-proof/checks.ts';
import type { Step } from '../audit-proof/merkle.ts';

type State = Check['state'];

const LOOKS: Readonly<Record<State, { color: string; word: string; Icon: typeof CheckIcon }>> = {
  passed: { color: 'green', word: 'Verified', Icon: CheckIcon },
  failed: { color: 'red', word: 'Failed', Icon: Cross2Icon },
  open: { color: 'gray', word: 'Not checked', Icon: MinusIcon },
};

interface ChecksProps {
  readonly checks: readonly Check[];
  /** The result in a sentence, by how it ended. */
  readonly verdicts: Readonly<Record<State, string>>;
}

/** What was checked, step by step: in words and colour, with the values that were compared. */
export function Checks({ checks, verdicts }: ChecksProps) {
  const verdict = verdictOf(checks);
  const { color } = LOOKS[verdict];
  return (
    <Stack gap="sm">
      <Alert
        role={verdict === 'failed' ? 'alert' : 'status'}
        color={color}
        variant={verdict === 'failed' ? 'filled' : 'light'}
        className={verdict === 'failed' ? 'alarm' : undefined}
        title={verdicts[verdict]}
      />
      <ol className="checks">
        {checks.map((check) => (
          <CheckItem key={check.title} {...check} />
        ))}
      </ol>
    </Stack>
  );
}

function CheckItem({ title, state, because, values, steps }: Check) {
  const { color, word, Icon } = LOOKS[state];
  return (
    <li data-state={state}>
      <Group gap="sm" wrap="nowrap" align="flex-start">
        <ThemeIcon
          size="sm"
          radius="xl"
          color={color}
          variant={state === 'open' ? 'light' : 'filled'}
          mt={2}
          aria-hidden
        >
          <Icon />
        </ThemeIcon>
        <Box miw={0} flex={1}>
          <Text fw={600} size="sm">
            {word}: {title}
          </Text>
          {because !== undefined && (
            <Text size="sm" c={state === 'failed' ? 'var(--mantine-color-error)' : 'dimmed'}>
              {because}
            </Text>
          )}
          <dl className="hashes">
            {values.map(([label, value]) => (
              <div key={label}>
                <dt>{label}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
          {steps !== undefined && steps.length > 0 && <Path steps={steps} />}
        </Box>
      </Group>
    </li>
  );
}

/** The way from the leaf to the root, hash by hash. */
function Path({ steps }: { steps: readonly Step[] }) {
  return (
    <details className="path">
      <summary>{steps.length === 1 ? 'The one step' : `All ${steps.length} steps`} from the leaf to the root</summary>
      <ol>
        {steps.map(({ side, sibling, result }) => (
          <li key={toHex(sibling) + toHex(result)}>
            <Text span size="xs" c="dimmed">
              {side === 'left' ? 'SHA-256(01 ‖ sibling ‖ hash), sibling ' : 'SHA-256(01 ‖ hash ‖ sibling), sibling '}
            </Text>
            <Code className="hash">{toHex(sibling)}</Code>
            <Text span size="xs" c="dimmed">
              {' gives '}
            </Text>
            <Code className="hash">{toHex(result)}</Code>
          </li>
        ))}
      </ol>
    </details>
  );
}
