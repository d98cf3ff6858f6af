import { Button, Group, Table, Text, UnstyledButton } from '@mantine/core';
import { CaretDownIcon, CaretSortIcon, CaretUpIcon } from '@radix-ui/react-icons';
import { useVirtualizer } from '@tanstack/react-virtual';
import { memo, type ReactNode, type RefObject, useEffect, useMemo, useRef } from 'react';
import { useNavigate, useSearchParams } from 'react-router';
import { useRowKeys } from './row-keys.ts';

export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => ReactNode;
  /** Right-aligned, with digits of one width. */
  readonly numeric?: boolean;
  /** What rows are sorted by when somebody presses the title. Only for tables that hold all their rows. */
  readonly sortBy?: (row: Row) => string | number;
}

interface DataTableProps<Row> {
  /** Names the table for screen readers. */
  readonly label: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string;
  /** Where a click on a row leads; its first cell should be a link to the same place, for who uses the keyboard. */
  readonly linkOf?: (row: Row) => string;
  readonly isSelected?: (row: Row) => boolean;
  /**
   * Keys that do something with the row that has the focus. With them `j` and `k` walk through the rows from anywhere on the
   * page; in every table with links the arrow keys do.
   */
  readonly keys?: Readonly<Record<string, (row: Row) => void>>;
  readonly empty?: string;
  /** The height from which on rows scroll below the head, in pixels. */
  readonly maxHeight?: number;
  /** Reads more rows: called at the end of those that are there, and by a button. */
  readonly more?: { readonly has: boolean; readonly busy: boolean; readonly read: () => void };
  /** The search parameter that says how it is sorted, where a page has several tables. */
  readonly sortParam?: string;
}

/** Fewer rows are simply there: nothing to gain. */
const VIRTUAL_FROM = 60;
const ROW_HEIGHT = 41;
/** So many rows before the end the next ones are read, so that who scrolls need not wait for them. */
const READ_AHEAD = 40;

/**
 * A table of any length: of a long one only the rows in sight are in the page (`aria-rowcount` and `aria-rowindex` say where
 * they stand), so ten thousand scroll as well as ten.
 */
export function DataTable<Row>({ rows: given, sortParam = 'sort', ...rest }: DataTableProps<Row>) {
  const { label, columns, empty = 'Nothing here.', maxHeight = 560, more } = rest;
  const box = useRef<HTMLDivElement>(null);
  const { rows, direction, sort } = useSorted(given, columns, sortParam);
  const props = { ...rest, rows };
  useRowKeys(box, rows, rest.keys);
  if (rows.length === 0 && !more?.busy) {
    return (
      <Text c="dimmed" size="sm">
        {empty}
      </Text>
    );
  }
  return (
    <>
      {/* A region that scrolls must be reachable by keyboard (WCAG 2.2, 2.1.1). */}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: see above */}
      <section className="rows" ref={box} style={{ maxHeight }} tabIndex={0} aria-label={`${label}, table`}>
        <Table aria-label={label} aria-rowcount={more?.has ? -1 : rows.length + 1} verticalSpacing={6} highlightOnHover>
          <Table.Thead>
            <Table.Tr aria-rowindex={1}>
              {columns.map(({ title, numeric, sortBy }) => (
                <Table.Th key={title} scope="col" ta={numeric ? 'right' : undefined} aria-sort={direction(title)}>
                  {sortBy === undefined ? (
                    title
                  ) : (
                    <SortButton title={title} direction={direction(title)} onPress={() => sort(title)} />
                  )}
                </Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          {rows.length < VIRTUAL_FROM ? (
            <Table.Tbody>
              {rows.map((row, index) => (
                <DataRow key={props.keyOf(row)} row={row} index={index} {...props} />
              ))}
            </Table.Tbody>
          ) : (
            <VirtualRows box={box} {...props} />
          )}
        </Table>
      </section>
      {more?.has && (
        <Group justify="center" mt="xs">
          <Button variant="default" size="xs" loading={more.busy} onClick={more.read}>
            Show more
          </Button>
        </Group>
      )}
    </>
  );
}

type Direction = 'ascending' | 'descending' | undefined;

/** Rows in the order that the URL asks for: `?sort=Title`, or `?sort=-Title` for the highest first. */
function useSorted<Row>(rows: readonly Row[], columns: readonly Column<Row>[], param: string) {
  const [params, setParams] = useSearchParams();
  const asked = params.get(param) ?? '';
  const descending = asked.startsWith('-');
  const by = columns.find(({ title, sortBy }) => sortBy && title === asked.replace(/^-/, ''));
  const sorted = useMemo(() => {
    const { sortBy } = by ?? {};
    if (sortBy === undefined) return rows;
    const sign = descending ? -1 : 1;
    return rows.toSorted((one, other) => {
      const [a, b] = [sortBy(one), sortBy(other)];
      return sign * (typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b)));
    });
  }, [rows, by, descending]);
  const direction = (title: string): Direction =>
    title !== by?.title ? undefined : descending ? 'descending' : 'ascending';
  /** The highest first, then the lowest, then as the rows came. */
  const sort = (title: string): void => {
    // Of the address itself: what was set a moment ago may not have been rendered yet.
    const next = new URLSearchParams(location.search);
    const now = direction(title);
    if (now === 'ascending') next.delete(param);
    else next.set(param, now === 'descending' ? title : `-${title}`);
    setParams(next, { replace: true });
  };
  return { rows: sorted, direction, sort };
}

function SortButton(props: { title: string; direction: Direction; onPress: () => void }) {
  const { title, direction, onPress } = props;
  const Icon = direction === undefined ? CaretSortIcon : direction === 'descending' ? CaretDownIcon : CaretUpIcon;
  return (
    <UnstyledButton className="sort-button" onClick={onPress}>
      {title}
      <Icon aria-hidden />
    </UnstyledButton>
  );
}

function VirtualRows<Row>({ box, ...props }: DataTableProps<Row> & { box: RefObject<HTMLDivElement | null> }) {
  const { rows, columns, keyOf, more } = props;
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 12,
    getItemKey: (index) => {
      const row = rows[index];
      return row === undefined ? index : keyOf(row);
    },
  });
  const items = virtual.getVirtualItems();
  const first = items[0];
  const last = items.at(-1);
  const above = first?.start ?? 0;
  const below = virtual.getTotalSize() - (last?.end ?? 0);
  const isAtEnd = last !== undefined && last.index >= rows.length - READ_AHEAD;
  // biome-ignore lint/correctness/useExhaustiveDependencies: more rows are read once for each end that is reached
  useEffect(() => {
    if (isAtEnd && more?.has && !more.busy) more.read();
  }, [isAtEnd, rows.length]);
  return (
    <Table.Tbody>
      {above > 0 && <Spacer height={above} columns={columns.length} />}
      {items.map(({ index, key }) => {
        const row = rows[index];
        if (row === undefined) return null;
        return <DataRow key={key} row={row} index={index} measure={virtual.measureElement} {...props} />;
      })}
      {below > 0 && <Spacer height={below} columns={columns.length} />}
    </Table.Tbody>
  );
}

/** Stands for the rows that are not in the page. */
function Spacer({ height, columns }: { height: number; columns: number }) {
  return (
    <tr aria-hidden>
      <td colSpan={columns} style={{ height, padding: 0 }} />
    </tr>
  );
}

interface DataRowProps<Row> extends DataTableProps<Row> {
  readonly row: Row;
  readonly index: number;
  readonly measure?: (element: HTMLTableRowElement | null) => void;
}

/** Drawn again only when something of it changed: scrolling moves rows and changes none. */
const DataRow = memo(RowView) as typeof RowView;

function RowView<Row>({ row, index, columns, linkOf, isSelected, measure }: DataRowProps<Row>) {
  const navigate = useNavigate();
  const link = linkOf?.(row);
  const selected = isSelected?.(row) === true;
  return (
    <Table.Tr
      ref={measure}
      data-index={index}
      aria-rowindex={index + 2}
      data-link={link === undefined ? undefined : true}
      data-selected={selected || undefined}
      aria-current={selected || undefined}
      onClick={(event) => {
        // Text that somebody selects, and what is a control of its own, is no click on the row.
        const target = event.target as HTMLElement;
        if (link === undefined || target.closest('a, button, input, label') || getSelection()?.isCollapsed === false)
          return;
        void navigate(link);
      }}
    >
      {columns.map(({ title, cell, numeric }) => (
        <Table.Td key={title} ta={numeric ? 'right' : undefined} className={numeric ? 'number' : undefined}>
          {cell(row)}
        </Table.Td>
      ))}
    </Table.Tr>
  );
}
