import { describe, expect, test } from 'vitest';
import { ConfigError, readConfig } from '../../src/config.ts';

type Environment = Readonly<Record<string, string>>;

const ARN = 'arn:aws:sns:eu-central-1:123456789012:pierone';
const TOPIC = { API_SNS_TOPIC_ARN: ARN, API_REPOSITORY: 'pierone.example.org' };
const AUDIT = {
  HTTPLOGGER_API_URL: 'https://audit.example.org/events',
  OAUTH2_ACCESS_TOKEN_URL: 'https://login.example.org/token',
  CREDENTIALS_DIR: '/meta/credentials',
  API_REPOSITORY: 'pierone.example.org',
};

function problemsOf(environment: Environment): readonly string[] {
  try {
    readConfig(environment);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

/** The names that the problems begin with. */
function blamed(environment: Environment): string[] {
  return problemsOf(environment).map((problem) => problem.split(' ', 1)[0] ?? '');
}

function noticesOf(environment: Environment): readonly string[] {
  return readConfig(environment).notices;
}

describe('SNS', () => {
  test('is used with a topic, whose ARN says the region', () => {
    expect(readConfig(TOPIC).events.sns).toEqual({
      topicArn: ARN,
      region: 'eu-central-1',
      endpoint: undefined,
      registry: 'pierone.example.org',
    });
  });

  test('takes a region that is that of the topic, and an endpoint', () => {
    const endpoint = 'http://127.0.0.1:4566';
    const environment = { ...TOPIC, API_SNS_REGION: 'eu-central-1', API_SNS_ENDPOINT: endpoint };
    expect(readConfig(environment).events.sns).toMatchObject({ endpoint });
    expect(problemsOf({ ...TOPIC, API_SNS_REGION: 'eu-west-1' })).toEqual([
      'API_SNS_REGION is eu-west-1, but API_SNS_TOPIC_ARN is in eu-central-1: unset it, or correct the ARN',
    ]);
  });

  test.each(['API_SNS_REGION', 'API_SNS_ENDPOINT'])('%s without a topic is a mistake', (name) => {
    const value = name === 'API_SNS_REGION' ? 'eu-west-1' : 'http://127.0.0.1:1';
    expect(blamed({ [name]: value })).toEqual([name]);
  });

  test.each([
    'pierone',
    'arn:aws:sqs:eu-central-1:123456789012:pierone',
    'arn:aws:sns::123456789012:pierone',
    'arn:aws:sns:eu-central-1:123456789012:pier one',
    'arn:aws:sns:eu-central-1:123456789012:pierone:5b0e7e4e-subscription',
    '',
  ])('"%s" is no topic', (arn) => {
    expect(blamed({ API_SNS_TOPIC_ARN: arn })).toEqual(['API_SNS_TOPIC_ARN']);
  });

  test.each([
    'arn:aws:sns:eu-central-1:123456789012:pierone.fifo',
    'arn:aws-cn:sns:cn-north-1:123456789012:pierone',
  ])('%s is one', (arn) => {
    expect(readConfig({ API_SNS_TOPIC_ARN: arn }).events.sns).toMatchObject({ topicArn: arn });
  });
});

describe('the audit service', () => {
  test('comes with credentials, and with who grants a token for them', () => {
    expect(readConfig(AUDIT).events.audit).toEqual({
      url: new URL(AUDIT.HTTPLOGGER_API_URL),
      registry: 'pierone.example.org',
      tokenUrl: new URL(AUDIT.OAUTH2_ACCESS_TOKEN_URL),
      credentialsDirectory: '/meta/credentials',
    });
  });

  test('needs nobody who grants a token where the token is in a file', () => {
    const { OAUTH2_ACCESS_TOKEN_URL: _, ...environment } = AUDIT;
    expect(readConfig(environment).events.audit).toMatchObject({ tokenUrl: undefined });
  });

  test('without credentials is a mistake', () => {
    const { HTTPLOGGER_API_URL } = AUDIT;
    expect(problemsOf({ HTTPLOGGER_API_URL })).toEqual([
      expect.stringMatching(/^HTTPLOGGER_API_URL is set without CREDENTIALS_DIR: .*user\.json/),
    ]);
  });

  test.each(['HTTPLOGGER_API_URL', 'OAUTH2_ACCESS_TOKEN_URL'])(
    'a password in %s is refused, and not shown',
    (name) => {
      const problems = problemsOf({ ...AUDIT, [name]: 'https://user:hunter2@audit.example.org' });
      expect(problems).toEqual([expect.stringContaining(`${name} must be a URL without user`)]);
      expect(problems.join()).not.toContain('hunter2');
    },
  );
});

test('all that is wrong is told at once', () => {
  expect(
    blamed({
      API_SNS_TOPIC_ARN: 'pierone',
      API_SNS_REGION: 'Frankfurt',
      API_SNS_ENDPOINT: 'sns',
      HTTPLOGGER_API_URL: 'audit',
      OAUTH2_ACCESS_TOKEN_URL: 'login',
      API_REPOSITORY: '',
    }),
  ).toEqual([
    'API_REPOSITORY',
    'API_SNS_TOPIC_ARN',
    'API_SNS_REGION',
    'API_SNS_ENDPOINT',
    'HTTPLOGGER_API_URL',
    'OAUTH2_ACCESS_TOKEN_URL',
    'HTTPLOGGER_API_URL',
  ]);
});

describe('what an operator should know', () => {
  test('is nothing where all is there, or where a platform sets CREDENTIALS_DIR', () => {
    expect(noticesOf({ ...TOPIC, ...AUDIT })).toEqual([]);
    expect(noticesOf({ CREDENTIALS_DIR: '/meta/credentials' })).toEqual([]);
  });

  test('is what does nothing', () => {
    const { OAUTH2_ACCESS_TOKEN_URL, API_REPOSITORY } = AUDIT;
    expect(noticesOf({ OAUTH2_ACCESS_TOKEN_URL, API_REPOSITORY })).toEqual([
      expect.stringMatching(/^OAUTH2_ACCESS_TOKEN_URL does nothing without HTTPLOGGER_API_URL/),
      expect.stringMatching(/^API_REPOSITORY does nothing without API_SNS_TOPIC_ARN or HTTPLOGGER/),
    ]);
  });

  test('is that messages name no registry', () => {
    expect(noticesOf({ API_SNS_TOPIC_ARN: ARN })).toEqual([
      expect.stringMatching(/^API_REPOSITORY is unset/),
    ]);
  });
});
