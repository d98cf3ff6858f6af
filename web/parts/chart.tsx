import { type ComponentProps, lazy, Suspense } from 'react';
import { Loading } from './read.tsx';

const Plot = lazy(() => import('./charts.tsx'));

/** A chart; the library behind it is loaded when the first one is shown. */
export function Chart(props: ComponentProps<typeof Plot>) {
  return (
    <Suspense fallback={<Loading />}>
      <Plot {...props} />
    </Suspense>
  );
}
