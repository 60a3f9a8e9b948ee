import type { EventsConfig, WebhooksConfig } from '../config-events.ts';
import type { AuditConfig, SnsConfig } from '../config-sinks.ts';
import { ServiceToken } from '../events/service-token.ts';
import { readWebhooksFile } from '../events/webhooks-file.ts';
import { type Finding, failed, ok, warning } from './finding.ts';

/** Where events would go. Nothing is sent there: what is looked at is what delivering needs. */
export async function* checkSinks({ webhooks, sns, audit }: EventsConfig): AsyncGenerator<Finding> {
  if (webhooks) yield* checkWebhooks(webhooks);
  if (sns) yield await checkSns(sns);
  if (audit) yield await checkAudit(audit);
}

async function* checkWebhooks({ file, variables }: WebhooksConfig): AsyncGenerator<Finding> {
  const check = 'WEBHOOKS_FILE';
  try {
    const webhooks = await readWebhooksFile(file, variables);
    yield ok(
      check,
      `${file} can be read: ${webhooks.map(({ name }) => name).join(', ') || 'none'}`,
    );
    for (const { name, url } of webhooks) {
      if (url.protocol === 'https:') continue;
      yield warning(check, `${name} has a URL without TLS: others may read what is sent`);
    }
  } catch (error) {
    yield failed(check, error);
  }
}

/** The SDK is loaded only where it is used. */
async function checkSns(config: SnsConfig): Promise<Finding> {
  const check = 'API_SNS_TOPIC_ARN';
  const { SnsSink } = await import('../events/sns-sink.ts');
  const sink = new SnsSink(config);
  try {
    await sink.findCredentials();
    return ok(check, `there are AWS credentials for ${sink.description}; nothing was published`);
  } catch (error) {
    return failed(check, error);
  } finally {
    sink.close();
  }
}

async function checkAudit({ url, tokenUrl, credentialsDirectory: directory }: AuditConfig) {
  const check = 'HTTPLOGGER_API_URL';
  try {
    await new ServiceToken({ url: tokenUrl, directory }).get();
    return ok(check, `there is a token for ${url.origin}; nothing was sent`);
  } catch (error) {
    return failed(check, error);
  }
}
