import { listenUws } from '../../src/http/uws-transport.ts';
import { describeTransport } from './transport.ts';

describeTransport('uWebSockets.js', listenUws);
