import { AreaChart, BarChart, LineChart } from '@mantine/charts';
import '@mantine/charts/styles.css';
import { Table, Text, VisuallyHidden } from '@mantine/core';

export interface Series {
  readonly name: string;
  readonly label: string;
  /** A colour of the theme: `brand.7`. */
  readonly color: string;
}

interface ChartProps {
  /** What it shows, in a sentence: read out, and the caption of its table. */
  readonly label: string;
  readonly data: readonly Readonly<Record<string, string | number | null>>[];
  /** The member of `data` along the horizontal axis. */
  readonly by: string;
  readonly series: readonly Series[];
  readonly height?: number;
  readonly format?: (value: number) => string;
}

interface PlotProps extends ChartProps {
  /** `rows` are bars that lie, for names that need their room. */
  readonly kind: 'area' | 'bars' | 'stacked' | 'rows' | 'line';
  /** Of lines: from where to where both axes go, with numbers along the horizontal one. */
  readonly range?: readonly [from: number, to: number];
}

/** Fewer points are drawn as dots, too. */
const SPARSE = 20;

const LYING = {
  orientation: 'vertical',
  gridAxis: 'x',
  yAxisProps: { width: 150, interval: 0 },
  xAxisProps: { allowDecimals: false },
  maxBarWidth: 22,
} as const;

/** A chart for the eye, and the same numbers as a table for who cannot see it. Loaded when a page has one. */
export default function Plot({ kind, label, data, by, series, height = 220, format, range }: PlotProps) {
  if (data.length === 0) {
    return (
      <Text c="dimmed" size="sm">
        Nothing to plot yet.
      </Text>
    );
  }
  const shared = {
    h: height,
    data: [...data],
    dataKey: by,
    series: series.map((one) => ({ ...one })),
    withLegend: series.length > 1,
    // What has no format of its own is counted.
    ...(format ? { valueFormatter: format } : { yAxisProps: { allowDecimals: false } }),
  };
  // A point without neighbours is no area.
  const isSparse = data.filter((point) => series.some(({ name }) => typeof point[name] === 'number')).length < SPARSE;
  return (
    <figure aria-label={label} className="plot">
      {/* Out of the order of Tab, too: the table below says the same. */}
      <div aria-hidden>
        {kind === 'line' ? (
          <LineChart
            {...shared}
            curveType="linear"
            withDots={isSparse}
            connectNulls
            lineProps={{ isAnimationActive: false }}
            lineChartProps={{ accessibilityLayer: false }}
            {...(range && {
              xAxisProps: { type: 'number', domain: [...range], ...(format && { tickFormatter: format }) },
              yAxisProps: { domain: [...range] },
            })}
          />
        ) : kind === 'area' ? (
          <AreaChart
            {...shared}
            curveType="monotone"
            withDots={isSparse}
            dotProps={{ r: 3 }}
            connectNulls={false}
            areaProps={{ isAnimationActive: false }}
            areaChartProps={{ accessibilityLayer: false }}
          />
        ) : (
          <BarChart
            {...shared}
            {...(kind === 'rows' ? LYING : {})}
            type={kind === 'stacked' ? 'stacked' : 'default'}
            barProps={{ isAnimationActive: false }}
            barChartProps={{ accessibilityLayer: false }}
          />
        )}
      </div>
      <VisuallyHidden>
        <Table>
          <caption>{label}</caption>
          <thead>
            <tr>
              <th scope="col">{by}</th>
              {series.map((one) => (
                <th key={one.name} scope="col">
                  {one.label}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {data.map((point) => (
              <tr key={String(point[by])}>
                <th scope="row">{point[by]}</th>
                {series.map((one) => (
                  <td key={one.name}>{point[one.name] ?? 'none'}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </Table>
      </VisuallyHidden>
    </figure>
  );
}
