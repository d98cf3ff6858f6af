/** Questions that somebody has to set, so that the two that are asked differ from one occasion to the next. */
export const MIN_SECURITY_QUESTIONS = 3;
export const MAX_SECURITY_QUESTIONS = 10;
/** How many of them one transaction asks. */
export const QUESTIONS_ASKED = 2;

/**
 * An answer in the form that is hashed: "St. Mary's " and "st mary s" are one answer, since nobody remembers in a year how
 * they punctuated it.
 */
export function normalizeAnswer(answer: string): string {
  return answer
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M}]+/gu, ' ')
    .trim();
}

/** Why a set of questions is refused, about one of them; `index` counts from 0. */
export interface QuestionFault {
  index: number;
  member: 'question' | 'answer';
  detail: string;
}

/** What is wrong with a set: doubles, answers of fewer than three characters, answers that stand in their question. */
export function questionFaults(given: readonly { question: string; answer: string }[]): QuestionFault[] {
  const faults: QuestionFault[] = [];
  const questions = given.map(({ question }) => normalizeAnswer(question));
  const answers = given.map(({ answer }) => normalizeAnswer(answer));
  for (const [index, answer] of answers.entries()) {
    const question = questions[index] ?? '';
    if (questions.indexOf(question) < index) {
      faults.push({ index, member: 'question', detail: 'must differ from the other questions' });
    }
    if ([...answer].length < 3) {
      faults.push({ index, member: 'answer', detail: 'must have at least three letters or digits' });
    } else if (` ${question} `.includes(` ${answer} `)) {
      faults.push({ index, member: 'answer', detail: 'must not stand in its question' });
    } else if (answers.indexOf(answer) < index) {
      faults.push({ index, member: 'answer', detail: 'must differ from the other answers' });
    }
  }
  return faults;
}
