import type { Micros } from '../time.ts';

/** Events that lie ahead, by their time; those of one time in the order in which they were added. A binary heap. */
export function createTimeline<E extends { readonly at: Micros }>() {
  const heap: Array<{ readonly event: E; readonly order: number }> = [];
  let added = 0;

  const isBefore = (a: number, b: number): boolean => {
    const [one, other] = [heap[a], heap[b]];
    if (one === undefined || other === undefined) return one !== undefined;
    return one.event.at < other.event.at || (one.event.at === other.event.at && one.order < other.order);
  };
  const swap = (a: number, b: number): void => {
    const [one, other] = [heap[a], heap[b]];
    if (one === undefined || other === undefined) return;
    heap[a] = other;
    heap[b] = one;
  };

  function takeFirst(): E | undefined {
    const first = heap[0]?.event;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    heap[0] = last;
    for (let at = 0; ; ) {
      const [left, right] = [2 * at + 1, 2 * at + 2];
      const least = isBefore(right, left) ? right : left;
      if (!isBefore(least, at)) return first;
      swap(least, at);
      at = least;
    }
  }

  return {
    add(event: E): void {
      heap.push({ event, order: added });
      added += 1;
      for (let at = heap.length - 1; at > 0; ) {
        const parent = (at - 1) >> 1;
        if (!isBefore(at, parent)) return;
        swap(at, parent);
        at = parent;
      }
    },

    /** Takes out the events up to and including `at`, in their order. */
    *until(at: Micros): Generator<E> {
      for (let first = heap[0]; first !== undefined && first.event.at <= at; first = heap[0]) {
        yield takeFirst() as E;
      }
    },

    get size(): number {
      return heap.length;
    },
  };
}
