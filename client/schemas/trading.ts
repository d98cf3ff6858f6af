import type { ExceededLimit, FactorMethod, TransactionAction, TransactionStatus, TransactionType } from './general.ts';

/**
 * The API's objects by name: made from the API's OpenAPI document by test/client/operations.test.ts, which holds this file against it.
 * `npx vitest run --project servers test/client/operations.test.ts -u` writes it anew.
 */

export interface DecidedTransaction {
  userId: string;
  accountId: string;
  type: TransactionType;
  instrument: string | null;
  quantity: string | null;
  amount: string | null;
  currency: string;
  baseAmount: string | null;
  baseCurrency: string;
  category: string;
  counterparty: string | null;
  heldAt: string | null;
  finishedAt: string | null;
}

export interface Decision {
  transactionId: string;
  status: TransactionStatus;
  code: string | null;
  transaction: DecidedTransaction;
  decidedAt: string;
  ruleSetVersion: string;
  score: number;
  action: TransactionAction | null;
  contributions: ({ ruleId: string; title: string; value: number | string | null; baseline: number | string | null; threshold: number | string | null; points: number; unit: string | null; note: string | null; explanation: string })[];
  features: ({ name: string; value: unknown; unit: string | null; meaning: string | null })[];
  counterfactual: { notHeldUpTo: string | null; explanation: string } | null;
  shadows: { version: string; score: number; action: TransactionAction; points: Record<string, number> }[];
}

export interface ExchangeRate { currency: string; baseCurrency: string; rate: string; ratedAt: string; stale: boolean }

export interface ExchangeRateImport {
  inserted: number;
  unchanged: number;
  conflicting: { currency: string; at: string }[];
}

export interface ExchangeRateList { items: ExchangeRate[]; nextCursor: null }

export interface Instrument {
  instrument: string;
  name: string;
  currency: string;
  price: string | null;
  pricedAt: string | null;
  stale: boolean;
}

export interface InstrumentList { items: Instrument[]; nextCursor: null }

export interface Portfolio {
  accountId: string;
  depositIdentifiers: { currency: string; reference: string }[];
  cash: { currency: string; balance: string; reserved: string; available: string }[];
  positions: ({ instrument: string; quantity: string; reserved: string; available: string; currency: string | null; price: string | null; value: string | null })[];
}

export interface PriceImport {
  newInstruments: number;
  inserted: number;
  unchanged: number;
  conflicting: { instrument: string; at: string }[];
}

export interface Transaction {
  transactionId: string;
  type: TransactionType;
  amount: string | null;
  currency: string;
  status: TransactionStatus;
  code?: string | undefined;
  methods?: FactorMethod[] | undefined;
  expiresAt?: string | undefined;
  reviewBy?: string | undefined;
  limit?: ExceededLimit | undefined;
  payBy?: string | undefined;
  createdAt: string;
}

export interface TransactionDetail {
  transactionId: string;
  type: TransactionType;
  amount: string | null;
  currency: string;
  status: TransactionStatus;
  code?: string | undefined;
  methods?: FactorMethod[] | undefined;
  expiresAt?: string | undefined;
  reviewBy?: string | undefined;
  limit?: ExceededLimit | undefined;
  payBy?: string | undefined;
  createdAt: string;
  nextStep: string;
  instrument: string | null;
  quantity: string | null;
  priceLimit: string | null;
  price: string | null;
  baseAmount: string | null;
  baseCurrency: string;
  exchangeRate: string | null;
  ratedAt: string | null;
  category: string;
  counterparty: string | null;
  finishedAt: string | null;
  appealBy?: string | undefined;
}

export interface TransactionList { items: TransactionDetail[]; nextCursor: string | null }

export interface TransactionOrder {
  type: TransactionType;
  instrument?: string | undefined;
  quantity?: string | undefined;
  price?: string | undefined;
  amount?: string | undefined;
  currency: string;
  category?: string | undefined;
  counterparty?: string | undefined;
}
