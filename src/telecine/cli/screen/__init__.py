"""What people see: tables, progress, what to type next; and how loud it is."""
