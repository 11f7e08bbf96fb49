"""The webhook actor: the permanent record, then one signed POST, one attempt row, one verdict.

It may import `middleware` and `schema`; none of the other rooms here.
Begin with `delivery.py`; `sender.py` opens the connection, `exact_http.py` sends the bytes as they are.
"""
