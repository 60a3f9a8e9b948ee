import { fileURLToPath } from 'node:url';

/** The server is a program of its own, with another Node.js around it than the command's. */
export const SERVER = fileURLToPath(new URL('../main.js', import.meta.url));
