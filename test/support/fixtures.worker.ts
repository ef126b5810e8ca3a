/** What worker-process.spec.ts runs: Nest's injection by type must work in it. */
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { createInterface } from 'node:readline';

const say = (message: object) => console.log(JSON.stringify(message));

@Injectable()
class Greeting {
  text = 'hello';
}

@Injectable()
class Greeter {
  constructor(private readonly greeting: Greeting) {}

  greet(name: string): string {
    return `${this.greeting.text} ${name}`;
  }
}

@Module({ providers: [Greeting, Greeter] })
class WorkerModule {}

const app = await NestFactory.createApplicationContext(WorkerModule, { logger: false });
const greeter = app.get(Greeter);
console.log('not JSON');
say({ type: 'ready', text: greeter.greet(process.argv[2] ?? 'nobody') });

createInterface({ input: process.stdin }).on('line', (line) => {
  const { name, exit } = JSON.parse(line) as { name?: string; exit?: number };
  if (exit !== undefined) process.exit(exit);
  say({ type: 'greeted', text: greeter.greet(name ?? '') });
});
