import { useMe } from '../session/session.tsx';
import { useColleagues } from './console.tsx';
import { Id } from './id.tsx';

/** Somebody of the staff, by name; who looks at the page is `you`. */
export function Person({ id }: { id: string | null | undefined }) {
  const { userId } = useMe();
  const colleagues = useColleagues();
  if (id === null || id === undefined) return '–';
  if (id === userId) return 'you';
  const colleague = colleagues.find((one) => one.userId === id);
  return colleague === undefined ? (
    <Id id={id} what="id of the person" />
  ) : (
    <span title={id}>{colleague.fullName}</span>
  );
}
