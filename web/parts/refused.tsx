import { Alert } from '@mantine/core';
import { problemText } from './problem.tsx';

interface RefusedProps {
  /** What a call was answered with; nothing is shown without one. */
  readonly error: unknown;
  readonly text?: (error: unknown) => string;
}

/** Why a call that somebody asked for was not carried out; what they typed is still there. */
export function Refused({ error, text = problemText }: RefusedProps) {
  if (error === undefined || error === null) return null;
  return (
    <Alert role="alert" color="red" variant="light">
      {text(error)}
    </Alert>
  );
}
