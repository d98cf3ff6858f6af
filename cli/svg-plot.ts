/** One series of a plot, in the units of its axes. */
export interface Series {
  readonly name: string;
  readonly points: ReadonlyArray<readonly [x: number, y: number]>;
  /** `line` joins the points, `steps` keeps the height of one until the next, `bars` stands each on the axis. */
  readonly shape: 'line' | 'steps' | 'bars';
  /** Number of the colour, from 0. */
  readonly colour: number;
  readonly dashed?: boolean;
}

export interface Plot {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
}

export interface Axis {
  readonly label: string;
  readonly from: number;
  readonly to: number;
  /** Text of a tick; by default the number. */
  readonly format?: (value: number) => string;
  /** Logarithm of 1 + value: for counts of which a few are thousands of times the rest. */
  readonly log?: boolean;
}

const WIDTH = 480;
const HEIGHT = 300;
const LEFT = 56;
const RIGHT = 16;
const TOP = 12;
const BOTTOM = 44;
const TICKS = 5;
const BAR_SHARE = 0.8;

/** A plot as an SVG element that scales with its place; colours are classes (`s0`, `s1` ...) of the page's style. */
export function renderPlot(plot: Plot): string {
  const x = scaleOf(plot.x, LEFT, WIDTH - RIGHT);
  const y = scaleOf(plot.y, HEIGHT - BOTTOM, TOP);
  const grid = [
    ...ticksOf(plot.x).map(
      (tick) =>
        `<line class="grid" x1="${x(tick)}" x2="${x(tick)}" y1="${TOP}" y2="${HEIGHT - BOTTOM}"/>` +
        `<text class="tick" x="${x(tick)}" y="${HEIGHT - BOTTOM + 16}" text-anchor="middle">${escapeText(shown(plot.x, tick))}</text>`,
    ),
    ...ticksOf(plot.y).map(
      (tick) =>
        `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(tick)}" y2="${y(tick)}"/>` +
        `<text class="tick" x="${LEFT - 6}" y="${y(tick) + 4}" text-anchor="end">${escapeText(shown(plot.y, tick))}</text>`,
    ),
  ];
  const labels =
    `<text class="label" x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 8}" text-anchor="middle">${escapeText(plot.x.label)}</text>` +
    `<text class="label" transform="translate(13 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">${escapeText(plot.y.label)}</text>`;
  const drawn = plot.series.map((series, index) => drawSeries(series, plot, { x, y, index }));
  return (
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeText(plot.title)}">` +
    `${grid.join('')}${labels}${drawn.join('')}</svg>`
  );
}

type Scale = (value: number) => number;

function drawSeries(
  { name, points, shape, colour, dashed }: Series,
  plot: Plot,
  { x, y, index }: { readonly x: Scale; readonly y: Scale; readonly index: number },
): string {
  const title = `<title>${escapeText(name)}</title>`;
  if (shape === 'bars') {
    const sides = plot.series.length;
    const slot = ((WIDTH - LEFT - RIGHT) / Math.max(1, slotsOf(plot, points))) * BAR_SHARE;
    const width = Math.max(0.6, slot / sides);
    const bars = points.map(([at, height]) => {
      const left = x(at) - slot / 2 + index * width;
      const top = y(height);
      return `<rect x="${two(left)}" y="${two(top)}" width="${two(width)}" height="${two(Math.max(0, y(plot.y.from) - top))}"/>`;
    });
    return `<g class="fill ${colourClass(colour)}">${title}${bars.join('')}</g>`;
  }
  const path = points
    .map(([px, py], at) => {
      const move = `${two(x(px))} ${two(y(py))}`;
      if (at === 0) return `M${move}`;
      return shape === 'steps' ? `H${two(x(px))}V${two(y(py))}` : `L${move}`;
    })
    .join('');
  return `<path class="line ${colourClass(colour)}${dashed === true ? ' dashed' : ''}" d="${path}">${title}</path>`;
}

function slotsOf(plot: Plot, points: Series['points']): number {
  const gaps = points.slice(1).map(([at], index) => at - (points[index]?.[0] ?? at));
  const least = Math.min(...gaps.filter((gap) => gap > 0), plot.x.to - plot.x.from);
  return least > 0 ? (plot.x.to - plot.x.from) / least : 1;
}

function scaleOf({ from, to, log }: Axis, start: number, end: number): Scale {
  const place = (value: number) => (log === true ? Math.log10(1 + value) : value);
  const span = place(to) - place(from) || 1;
  return (value) => two(start + ((place(value) - place(from)) / span) * (end - start));
}

/** Round numbers within an axis. */
function ticksOf({ from, to, log }: Axis): number[] {
  if (log === true) {
    const powers = Math.ceil(Math.log10(1 + to));
    return [0, ...Array.from({ length: powers + 1 }, (_, power) => 10 ** power)].filter((tick) => tick <= to);
  }
  const rough = (to - from) / TICKS;
  if (!(rough > 0)) return [from];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  const first = Math.ceil(from / step);
  return Array.from({ length: Math.floor(to / step) - first + 1 }, (_, index) => (first + index) * step);
}

function shown({ format }: Axis, value: number): string {
  return format?.(value) ?? String(Number(value.toPrecision(6)));
}

function two(value: number): number {
  return Math.round(value * 100) / 100;
}

/** As many as the page's style has. */
const COLOURS = 6;

/** Class of a colour; they begin again where there are more series than colours. */
export function colourClass(colour: number): string {
  return `s${colour % COLOURS}`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text as it may stand in HTML and SVG, between tags and in quoted attributes. */
export function escapeText(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}
