import { spawnSync } from 'node:child_process';
import type { CommandDeclaration } from '../command.ts';
import { SERVER } from '../server-program.ts';

export const OPERATION_COMMANDS: readonly CommandDeclaration[] = [
  {
    name: 'serve',
    summary: 'Run the registry',
    description:
      'It runs until Ctrl-C or SIGTERM, and lets running requests end then; a second signal ends it at once. Logs are JSON lines on standard output, at a terminal lines for people.',
    examples: [
      ['serve', 'with an embedded PostgreSQL, and layers in ./data'],
      ['doctor', 'first see whether its settings and all that it needs are right'],
    ],
    notes: settingsHelp,
    load: () => import('../commands/serve.ts'),
  },
  {
    name: 'doctor',
    summary: 'Check all that a server needs, or that a client does',
    description:
      'A line for each check: ok, or what to do. Without --url it checks what a server with this environment would need: settings, ports, PostgreSQL, the store, identity provider, sinks of events, memory. It changes nothing, and publishes nothing; S3 is tried with objects that are removed again. With --url it checks the way from this machine to a registry: address, certificate, token, docker. Exit code 1 if there is a problem.',
    examples: [
      ['doctor', 'before the server is started with the same environment'],
      ['doctor --url https://pierone.example.org', 'why docker or pierone does not work here'],
      ['doctor -o json', 'for programs: check, status and message'],
    ],
    load: () => import('../commands/doctor.ts'),
  },
];

export const SHELL_COMMANDS: readonly CommandDeclaration[] = [
  {
    name: 'completion',
    summary: 'Print a script that completes commands in your shell',
    description:
      'To have it in each new shell, write eval "$(pierone completion bash)" into ~/.bashrc, or the same with zsh into ~/.zshrc, behind compinit; fish reads it from a file.',
    arguments: [
      { name: '<shell>', description: 'bash, zsh or fish', choices: ['bash', 'zsh', 'fish'] },
    ],
    examples: [
      ['completion bash', 'the script for bash'],
      ['completion fish > ~/.config/fish/completions/pierone.fish', 'for each new fish'],
    ],
    load: () => import('../commands/completion.ts'),
  },
];

/** Of the server itself, which has the list; commander wants it at once. */
function settingsHelp(): string {
  const { stdout } = spawnSync(process.execPath, [SERVER, '--help'], { encoding: 'utf8' });
  return (stdout ?? '').replace(/^[^]*?(?=Settings are)/, '').trimEnd();
}
