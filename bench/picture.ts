import { isSpeed, type Measured } from './figure.ts';
import { type Report, ratioOf } from './report.ts';
import { median } from './statistics.ts';

const WIDTH = 800;
const LABEL_WIDTH = 300;
const ROW_HEIGHT = 34;
const TOP = 56;
const BAR_HEIGHT = 11;
/** Room for the figures behind the bars. */
const FIGURE_WIDTH = 170;
/** Readable on white and on black. */
const COLORS = { ours: '#1a7f64', peer: '#9aa0a6', text: '#6e7781', title: '#57606a' };

/** Bars of ours and the peer's, a pair for each work, each pair on a scale of its own. */
export function drawPicture(report: Report): string {
  const works = report.works.filter(({ ours, peer }) => ours.length > 0 && peer.length > 0);
  const height = TOP + works.length * ROW_HEIGHT + 24;
  const { machine, peer, commit } = report;
  const about = `${machine.cores} cores, ${machine.cpu}, Node.js ${machine.node}, commit ${commit}; ${report.runs} runs`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="12">`,
    text(0, 16, 'Pier One', { fill: COLORS.ours, weight: 'bold', size: 14 }),
    text(70, 16, `against ${peer}`, { fill: COLORS.title, size: 14 }),
    text(0, 36, 'medians; longer is faster (of CPU: longer is more)', { fill: COLORS.text }),
    ...works.map((measured, row) => drawRow(measured, TOP + row * ROW_HEIGHT)),
    text(0, height - 6, about, { fill: COLORS.text, size: 10 }),
    '</svg>',
    '',
  ].join('\n');
}

function drawRow(measured: Measured, y: number): string {
  const ours = median(measured.ours.map(({ value }) => value));
  const peer = median(measured.peer.map(({ value }) => value));
  const most = Math.max(ours, peer);
  const room = WIDTH - LABEL_WIDTH - FIGURE_WIDTH;
  const bar = (value: number, top: number, color: string) =>
    `<rect x="${LABEL_WIDTH}" y="${top}" width="${Math.max(1, (value / most) * room).toFixed(1)}" height="${BAR_HEIGHT}" fill="${color}"/>`;
  const behind = (value: number) => LABEL_WIDTH + (value / most) * room + 6;
  const ratio = ratioOf(measured) ?? 0;
  const times = isSpeed(measured.unit) ? `${ratio.toFixed(1)} ×` : `${ratio.toFixed(3)} of it`;
  return [
    text(0, y + 15, measured.work, { fill: COLORS.title }),
    bar(ours, y, COLORS.ours),
    bar(peer, y + BAR_HEIGHT + 1, COLORS.peer),
    text(behind(ours), y + 10, `${figure(ours)} ${measured.unit}, ${times}`, { fill: COLORS.ours }),
    text(behind(peer), y + 22, figure(peer), { fill: COLORS.text }),
  ].join('\n');
}

function figure(value: number): string {
  return value >= 10 ? Math.round(value).toLocaleString('en-US') : value.toFixed(3);
}

interface TextStyle {
  readonly fill: string;
  readonly weight?: string;
  readonly size?: number;
}

function text(x: number, y: number, content: string, { fill, weight, size }: TextStyle): string {
  const style = [weight && ` font-weight="${weight}"`, size && ` font-size="${size}"`];
  return `<text x="${x.toFixed(0)}" y="${y}" fill="${fill}"${style.filter(Boolean).join('')}>${escape(content)}</text>`;
}

function escape(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
