print("bihuan")
