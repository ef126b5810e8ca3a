import { Injectable } from '@nestjs/common';
import type { LeaderTerm } from '../../../../libs/etcd-coordination/src/election/leader-term.js';
import { OnElected } from '../../../../libs/etcd-coordination/src/election/on-elected.decorator.js';
import { STANDING } from './election-names.js';

type TermWork = (term: LeaderTerm) => Promise<void>;

/** A class of an application that works while its process leads. */
@Injectable()
export class StandingCandidate {
  private begin!: (work: TermWork) => void;
  private readonly work = new Promise<TermWork>((resolve) => (this.begin = resolve));

  @OnElected(STANDING)
  async lead(term: LeaderTerm): Promise<void> {
    await (
      await this.work
    )(term);
  }

  /** What it does, terms that began before included. */
  does(work: TermWork): void {
    this.begin(work);
  }
}
