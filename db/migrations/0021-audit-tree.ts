import { Migration } from '@mikro-orm/migrations';

/** Inner nodes of the audit log's Merkle tree, so that a proof costs the same however long the log is. */
export class AuditTree extends Migration {
  override name = '0021-audit-tree';

  override up(): void {
    this.addSql(`
      create table audit_tree_node (
        level smallint not null check (level > 0 and level % 8 = 0),
        index bigint not null check (index >= 0),
        hash bytea not null check (length(hash) = 32),
        primary key (level, index)
      );
      comment on table audit_tree_node is
        'the root of the perfect subtree of 2^level leaves from index * 2^level on (RFC 9162); leaves are audit_seal.leaf_hash';
      create trigger audit_tree_node_append_only before update or delete on audit_tree_node
        for each row execute function audit_refuse_change();
      create trigger audit_tree_node_no_truncate before truncate on audit_tree_node
        for each statement execute function audit_refuse_change();
    `);
  }
}
