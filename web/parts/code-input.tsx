import { TextInput } from '@mantine/core';
import type { Ref } from 'react';

interface CodeInputProps {
  readonly value: string;
  readonly onChange: (digits: string) => void;
  readonly description?: string;
  readonly ref?: Ref<HTMLInputElement>;
}

/** A code of six digits. What is pasted may have blanks between them. */
export function CodeInput({ value, onChange, description, ref }: CodeInputProps) {
  return (
    <TextInput
      ref={ref}
      label="Six-digit code"
      description={description}
      inputMode="numeric"
      autoComplete="one-time-code"
      pattern="[0-9]{6}"
      title="Six digits"
      required
      data-autofocus
      className="code-input"
      value={value}
      onChange={(event) => onChange(event.currentTarget.value.replaceAll(/\D/g, '').slice(0, 6))}
    />
  );
}
