/** One quantity over another. */
export interface Curve {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

export interface Study {
  /** What y is, with its unit. */
  readonly title: string;
  /** What x is. */
  readonly x: string;
  readonly curves: readonly Curve[];
}

const WIDTH = 800;
const HEIGHT = 260;
const LEFT = 60;
const RIGHT = 240;
const TOP = 40;
const BOTTOM = 40;
const COLORS = ['#1a7f64', '#b35900', '#4169b8', '#a33b73', '#6e7781', '#7a7a00', '#008c9e'];
const TEXT = '#6e7781';

/** Each study below the other; both axes are logarithmic, so that a cost that doesn't grow is a level line. */
export function drawCurves(studies: readonly Study[]): string {
  const height = studies.length * HEIGHT;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="11" fill="${TEXT}">`,
    ...studies.map(
      (study, row) => `<g transform="translate(0 ${row * HEIGHT})">${drawStudy(study)}</g>`,
    ),
    '</svg>',
    '',
  ].join('\n');
}

function drawStudy({ title, x: xName, curves }: Study): string {
  const points = curves.flatMap((curve) => curve.points);
  const x = scale(
    points.map((point) => point.x),
    LEFT,
    WIDTH - RIGHT,
  );
  const y = scale([...points.map((point) => point.y), ...surround(points)], HEIGHT - BOTTOM, TOP);
  const xs = [...new Set(points.map((point) => point.x))];
  return [
    text(LEFT, 16, `${title}, over ${xName}`, 'font-weight="bold"'),
    ...xs.map((value) =>
      text(x(value), HEIGHT - 16, value.toLocaleString('en-US'), 'text-anchor="middle"'),
    ),
    ...decades(points).map(
      (value) =>
        `<path d="M${LEFT} ${y(value).toFixed(1)}H${WIDTH - RIGHT}" stroke="#8884"/>${text(LEFT - 6, y(value) + 4, String(value), 'text-anchor="end"')}`,
    ),
    ...curves.map((curve, index) => drawCurve(curve, index, { x, y })),
  ].join('\n');
}

type Scale = (value: number) => number;

function drawCurve(
  { name, points }: Curve,
  index: number,
  { x, y }: { x: Scale; y: Scale },
): string {
  const color = COLORS[index % COLORS.length] ?? TEXT;
  const path = points.map((point) => `${x(point.x).toFixed(1)} ${y(point.y).toFixed(1)}`).join('L');
  const dots = points.map(
    (point) =>
      `<circle cx="${x(point.x).toFixed(1)}" cy="${y(point.y).toFixed(1)}" r="3" fill="${color}"/>`,
  );
  const label = text(WIDTH - RIGHT + 16, TOP + index * 16, name, `fill="${color}"`);
  return `<path d="M${path}" fill="none" stroke="${color}" stroke-width="2"/>${dots.join('')}${label}`;
}

function scale(values: readonly number[], from: number, to: number): Scale {
  const [least, most] = [Math.log(Math.min(...values)), Math.log(Math.max(...values))];
  return (value) => from + ((Math.log(value) - least) / (most - least || 1)) * (to - from);
}

function surround(points: Study['curves'][number]['points']): number[] {
  const values = points.map(({ y }) => y);
  return [
    10 ** Math.floor(Math.log10(Math.min(...values))),
    10 ** Math.ceil(Math.log10(Math.max(...values))),
  ];
}

function decades(points: Study['curves'][number]['points']): number[] {
  const [low = 1, high = 1] = surround(points);
  const count = Math.round(Math.log10(high / low));
  return Array.from({ length: count + 1 }, (_, index) =>
    Number((low * 10 ** index).toPrecision(1)),
  );
}

function text(x: number, y: number, content: string, attributes: string): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${content.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</text>`;
}
