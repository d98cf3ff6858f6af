import { TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { useState } from 'react';

/** The API answers 30 calls a minute: it is asked when somebody pauses, not at each letter. */
const TYPING_MS = 400;

interface SearchInputProps {
  readonly label: string;
  readonly value: string;
  /** Told what was typed, without the blanks around it, once nothing more comes. */
  readonly onChange: (value: string) => void;
}

/** A text that a list is searched by. */
export function SearchInput({ label, value, onChange }: SearchInputProps) {
  const [text, setText] = useState(value);
  const tell = useDebouncedCallback((typed: string) => onChange(typed.trim()), TYPING_MS);
  return (
    <TextInput
      type="search"
      label={label}
      miw={240}
      value={text}
      onChange={(event) => {
        setText(event.currentTarget.value);
        tell(event.currentTarget.value);
      }}
    />
  );
}
