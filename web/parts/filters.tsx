import { NativeSelect } from '@mantine/core';
import { useSearchParams } from 'react-router';

/** Filters that live in the address: a link shows the same list. */
export function useFilters() {
  const [params, setParams] = useSearchParams();
  return {
    /** The value where it is one of `allowed`, else nothing: addresses are typed by people, too. */
    get: <const Value extends string>(name: string, allowed: readonly Value[]): Value | undefined =>
      allowed.find((one) => one === params.get(name)),
    set: (name: string, value: string) => {
      // Of the address itself: what was set a moment ago may not have been rendered yet.
      const after = new URLSearchParams(location.search);
      if (value === '') after.delete(name);
      else after.set(name, value);
      setParams(after, { replace: true });
    },
    clear: () => setParams({}, { replace: true }),
    any: params.size > 0,
  };
}

interface FilterSelectProps {
  readonly label: string;
  readonly value: string | undefined;
  readonly onChange: (value: string) => void;
  /** What no choice is called. */
  readonly none: string;
  readonly options: readonly { readonly value: string; readonly label: string }[];
}

/** One filter of a list. */
export function FilterSelect({ label, value = '', onChange, none, options }: FilterSelectProps) {
  return (
    <NativeSelect
      label={label}
      size="sm"
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
      data={[{ value: '', label: none }, ...options]}
      className="filter"
    />
  );
}

/** `step_up_required` as people read it. */
export const words = (name: string): string => name.replaceAll('_', ' ');

/** Options named as their values. */
export const optionsOf = (values: readonly string[]) => values.map((value) => ({ value, label: words(value) }));
