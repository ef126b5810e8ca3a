import { type DynamicModule, Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type DemoSettings, readSettings } from './settings.js';

/** Boots one demo service and says where it listens; ends the process with 1 if it cannot start. */
export async function runService(
  service: string,
  defaultPort: number,
  moduleFor: (settings: DemoSettings) => DynamicModule,
): Promise<void> {
  const logger = new Logger(service);
  try {
    const settings = readSettings(service, defaultPort);
    const app = await NestFactory.create(moduleFor(settings), { abortOnError: false });
    app.enableShutdownHooks();
    await app.listen(settings.port, settings.host);
    logger.log(`${settings.instanceId} listens on ${await app.getUrl()}`);
    // The word that process managers wait for, where there is one.
    process.send?.('ready');
  } catch (error) {
    logger.error(
      `${service} could not start: ${error instanceof Error ? error.message : String(error)}`,
    );
    process.exitCode = 1;
    process.exit();
  }
}
