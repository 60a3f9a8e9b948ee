import { loadUws } from '../../src/http/open-transport.ts';
import { describeTransport } from './transport.ts';

describeTransport('uWebSockets.js', await loadUws());
